/** The part of JSON Schema (draft 2020-12) that zod makes of a job file. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly (string | number)[];
  readonly const?: unknown;
}

/** `docs/reference/job-file.md`, made of the schema. */
export function jobFilePage(schema: Schema): string {
  return [
    '# Job files',
    '',
    'A job is a TOML file, `NAME.toml` in the jobs directory: `/etc/cairn/jobs` for root, `~/.config/cairn/jobs` for others, or what `--jobs-directory` or',
    '`CAIRN_JOBS_DIRECTORY` say. The name is the name of the job: small letters, digits and hyphens. [The guide](../guides/jobs.md) begins with a short one.',
    '',
    'This page is made from the schema that `cairn` itself uses; [job.schema.json](job.schema.json) is the same for editors. `cairn job validate` names the line of',
    'each mistake. A name that is not here is an error.',
    '',
    'Values that stand in several tables:',
    '',
    '- A **time** is a number of seconds, or a text such as `"90s"`, `"10m"`, `"2h"`, `"7d"`.',
    '- A **size** is a number of bytes, or a text such as `"500M"` or `"2 GiB"`, in powers of 1024.',
    '- A **share** is a text such as `"5%"`.',
    '- A **path** is absolute, or begins with `~/`: the home directory of the account that runs the job.',
    '- A **command** is a list: the program and its arguments, run without a shell. Passwords do not belong there; other users of the machine see them.',
    '',
    ...tableOf('The top of the file', '', schema),
  ].join('\n');
}

function tableOf(title: string, name: string, schema: Schema): string[] {
  const { properties = {}, required = [], description } = schema;
  const simple = Object.entries(properties).filter(([, one]) => tablesIn(one).length === 0);
  const tables = Object.entries(properties).filter(([, one]) => tablesIn(one).length > 0);
  return [
    `## ${title}`,
    '',
    ...(description === undefined ? [] : [description, '']),
    ...(simple.length === 0
      ? []
      : [
          '| key | value | meaning |',
          '| --- | --- | --- |',
          ...simple.map(([key, one]) => rowOf(key, one, required)),
          '',
        ]),
    ...tables.flatMap(([key, one]) => {
      const path = name === '' ? key : `${name}.${key}`;
      const variants = tablesIn(one);
      const isArray = one.type === 'array';
      const header = isArray ? `[[${path}]]` : `[${path}]`;
      return variants.flatMap((variant) => {
        const kind = variant.properties?.['kind']?.const;
        return tableOf(
          kind === undefined ? `\`${header}\`` : `\`${header}\` with \`kind = "${String(kind)}"\``,
          path,
          variant,
        );
      });
    }),
  ];
}

/** The tables that a value is one of; none for a plain value. */
function tablesIn(schema: Schema): readonly Schema[] {
  const inner = schema.type === 'array' ? (schema.items ?? {}) : schema;
  if (inner.properties !== undefined) return [inner];
  return (inner.oneOf ?? inner.anyOf ?? []).filter(({ properties }) => properties !== undefined);
}

function rowOf(key: string, schema: Schema, required: readonly string[]): string {
  const meaning = (schema.description ?? '').replaceAll('|', '\\|');
  return `| \`${key}\`${required.includes(key) ? ' (needed)' : ''} | ${kindOf(schema)} | ${meaning} |`;
}

function kindOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.type === 'array') return `list of ${kindOf(schema.items ?? {})}`;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(kindOf))].join(' or ');
  return schema.type === 'string' ? 'text' : schema.type === 'integer' ? 'whole number' : (schema.type ?? 'any');
}
