/**
 * Splits what pg_dumpall writes into statements, each with its line break: lines up to one that ends with a semicolon outside of
 * quotes. Comments, commands of psql and empty lines stand alone.
 */
export function* statementsOf(text: string): Generator<string> {
  let statement = '';
  let quote = '';
  for (const line of text.split(/(?<=\n)/)) {
    const bare = statement === '';
    statement += line;
    if (bare && /^(--.*|\\.*)?$/.test(line.trim())) {
      yield statement;
      statement = '';
      continue;
    }
    quote = quoteAfter(line, quote);
    if (quote === '' && line.trimEnd().endsWith(';')) {
      yield statement;
      statement = '';
    }
  }
  if (statement !== '') yield statement;
}

/** The quote that is open after a line. A doubled quote closes and opens again, which is the same. */
function quoteAfter(line: string, before: string): string {
  let open = before;
  for (const character of line) {
    if (open === '' && (character === "'" || character === '"')) open = character;
    else if (character === open) open = '';
  }
  return open;
}

/** `CREATE ROLE name`, `ALTER ROLE name …`: the verb, the kind and the name, which may be quoted. */
const ABOUT = /^(CREATE|ALTER) (ROLE|TABLESPACE) ("(?:[^"]|"")+"|[^\s;]+)/;

/** What there is already, by kind. */
export interface Existing {
  readonly roles: ReadonlySet<string>;
  readonly tablespaces: ReadonlySet<string>;
}

/**
 * Leaves out what would fail or change what there is: roles and tablespaces that exist are not made again, and not changed either
 * unless `change` is set.
 */
export function withoutExisting(text: string, { roles, tablespaces }: Existing, change: boolean): string {
  let kept = '';
  for (const statement of statementsOf(text)) {
    const [, verb, kind, quoted = ''] = ABOUT.exec(statement) ?? [];
    const name = quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('""', '"') : quoted;
    const exists = kind === 'ROLE' ? roles.has(name) : kind === 'TABLESPACE' && tablespaces.has(name);
    if (exists && (verb === 'CREATE' || !change)) continue;
    kept += statement;
  }
  return kept;
}
