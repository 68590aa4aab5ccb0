// @ts-check
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { blocksOf } from './blocks.mjs';
import { runPage } from './run-page.mjs';

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

const PAGE = `# Title

<!-- run first
mkdir made
-->

\`\`\`sh
cd made
word=kept
\`\`\`

\`\`\`text
not run
\`\`\`

1. A list:

   \`\`\`sh
   echo "in $(basename "$PWD") $word" > seen
   cat seen
   \`\`\`

\`\`\`sh no-run needs a second machine
ssh elsewhere
\`\`\`

\`\`\`js
console.log(\`it's \${6 * 7}\`);
\`\`\`

\`\`\`sh in-checkout
head -c 1 package.json
\`\`\`
`;

describe('blocks of a page', () => {
  it('are found in order, with what they are', () => {
    const { blocks, problems } = blocksOf(PAGE);
    expect(problems).toEqual([]);
    expect(blocks.map(({ language, line, hidden, inCheckout }) => [language, line, hidden, inCheckout])).toEqual([
      ['sh', 3, true, false],
      ['sh', 7, false, false],
      ['sh', 18, false, false],
      ['js', 27, false, false],
      ['sh', 31, false, true],
    ]);
    expect(blocks[2]?.text).toBe('echo "in $(basename "$PWD") $word" > seen\ncat seen\n');
  });

  it('must say why they are not run, and be named sh', () => {
    const page = '```sh no-run\na\n```\n\n```bash\nb\n```\n\n```sh later\nc\n```\n';
    expect(blocksOf(page).problems.map(({ line }) => line)).toEqual([1, 5, 9]);
  });

  it('run one after the other in a home of their own', () => {
    const { failed, output } = runPage(root, blocksOf(PAGE).blocks);
    expect(output).toBe("in made kept\nit's 42\n{");
    expect(failed).toBeUndefined();
  });

  it.each([
    ['a command that fails', '```sh\ntrue\n```\n```sh\nfalse\necho no\n```\n```sh\necho no\n```\n', 1],
    ['a part of a pipe that fails', '```sh\nfalse | cat\n```\n', 0],
    ['a variable that is not set', '```sh\necho "$nothing"\n```\n', 0],
    ['a program that throws', "```sh\ntrue\n```\n```js\nthrow new Error('x');\n```\n", 1],
    ['a block that ends the shell', '```sh\nexit 0\n```\n```sh\ntrue\n```\n', 0],
    ['a syntax error', '```sh\nif\n```\n', 0],
  ])('stop at %s', (_, page, index) => {
    const { failed, output } = runPage(root, blocksOf(page).blocks);
    expect(failed).toBe(index);
    expect(output).not.toMatch(/^no$/m);
  });
});
