import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';

import { loadAll, makeProgram } from '../src/program.ts';
import { SETTINGS } from '../src/settings/table.ts';
import { VERSION } from '../src/version.ts';
import { NAMED_PLACES, referencePage } from './support/reference-page.ts';

let program: Command;

beforeAll(async () => {
  program = makeProgram(async () => undefined);
  await loadAll(program);
});

function all(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(all)];
}

describe('the reference of commands', () => {
  it('is what the program says of itself (`npx vitest run packages/cli/test/reference.test.ts -u` writes it)', async () => {
    const page = fileURLToPath(new URL('../../../docs/reference/cli.md', import.meta.url));
    await expect(`${referencePage(program)}\n`).toMatchFileSnapshot(page);
    expect(NAMED_PLACES).toEqual(['/home/ada/.config/cairn/config.toml', '/etc/cairn/config.toml']);
  });

  it('names the options that settings have', () => {
    const known = new Set(all(program).flatMap((command) => command.options.map((option) => option.long)));
    for (const row of SETTINGS) if ('option' in row) expect(known).toContain(`--${row.option}`);
  });

  it('ends each command with an example that the command would take', () => {
    for (const command of all(program)) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      const last = help.trimEnd().split('\n').at(-1) ?? '';
      expect(last).toMatch(/^ {2}cairn /);
      const options = [...all(command), program].flatMap((each) => each.options);
      const known = new Set(options.flatMap(({ long, short }) => [long, short]));
      for (const [option] of last.matchAll(/(?<= )--?[a-z][a-z-]*/g)) expect(known, last).toContain(option);
    }
  });
});

describe('the version', () => {
  it('is that of the package', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(manifest.version).toBe(VERSION);
  });
});
