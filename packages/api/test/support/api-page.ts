import { ALL_ROUTES } from '../../src/routes/index.ts';
import { RIGHT_NAMES, RIGHTS, ROLES } from '../../src/rights/table.ts';

const HEAD = `# The management API

\`cairn panel\` answers these routes; [the guide](../guides/panel.md) begins with nothing and ends with a panel that is logged in. The document
\`GET /api/v1/openapi.json\` (OpenAPI 3.1) says what each takes and gives; requests are judged by the very schemas that it is made of. This page is made from the
tables of the program: \`npx vitest run packages/api/test/api-page.test.ts -u\`.

- **Who asks**: a token (\`authorization: Bearer cairn_…\`), or the cookie of a login. With the cookie, whatever changes something also needs the
  header \`x-cairn-forgery\` with the \`forgery_token\` that the login answered.
- **Bodies** are JSON, 64 KiB at most unless a route says otherwise. A name that a route does not know is an error.
- **Errors** are \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`code\`, \`detail\`, \`hint\`. The codes are those of
  [the table of errors](errors.md) in small letters: \`key-export-required\`.
- **The gate**: until the recovery key of each repository is exported and proved saved, every route answers 423, but those marked _open_.
- **The audit trail** has every request that changes something, and those marked _noted_, with who, from where and how it ended.

## Rights

`;

const ROUTES_HEAD = `
A token has those of its account's rights that it was made with. An account that is bound to repositories gets 404 for all others.

## Routes

`;

/** docs/reference/api.md, made of the rights table and the list of routes. */
export function apiPage(): string {
  const rights = RIGHT_NAMES.map((name) => [
    `\`${name}\``,
    RIGHTS[name].what,
    ...ROLES.map((role) => ((RIGHTS[name].roles as readonly string[]).includes(role) ? '✓' : '–')),
  ]);
  const routes = ALL_ROUTES.map(({ method, path, right, summary, gate, only, audited }) => [
    `\`${method} ${path}\``,
    right === 'public' ? 'public' : `\`${right}\``,
    [
      ...(gate === 'open' ? ['open'] : []),
      ...(only === 'session' ? ['login only'] : []),
      ...(audited && method === 'GET' ? ['noted'] : []),
    ].join(', '),
    summary,
  ]);
  return [
    HEAD,
    table(['right', 'what', ...ROLES], rights),
    ROUTES_HEAD,
    table(['route', 'right', '', 'what'], routes),
  ].join('');
}

/** Columns as wide as prettier makes them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(3, ...[title, ...rows.map((row) => row[i] ?? '')].map((cell) => cell.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('');
}
