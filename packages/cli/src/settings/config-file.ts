import { CairnError, systemErrorCode } from '@cairn/core';
import { readFile } from 'node:fs/promises';

import type { SettingValue } from './settings.ts';
import { SETTINGS, type SettingRow, type SettingType } from './table.ts';

/** Tables that the file may have beside settings at its top. */
const TABLES: readonly string[] = ['backup'];

const EXPECTED: Readonly<Record<SettingType, string>> = {
  text: 'a text',
  path: 'a path',
  place: 'a path or an address',
  count: 'a whole number',
  flag: 'true or false',
  list: 'a list of texts',
  paths: 'a list of paths',
};

/**
 * The settings of a configuration file (TOML 1.0) by their names; undefined when there is no such file and it need not be.
 * Rejects with `USAGE`, naming the file and what in it is wrong: an unknown name is an error, for it would do nothing.
 */
export async function readConfigFile(path: string, required: boolean): Promise<Map<string, SettingValue> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined;
    throw new CairnError('USAGE', `cannot read the configuration file ${path}: ${code ?? String(cause)}`, {
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
  return settingsOf(await parseToml(path, text), path);
}

async function parseToml(path: string, text: string): Promise<Readonly<Record<string, unknown>>> {
  const { parse } = await import('smol-toml');
  try {
    return parse(text);
  } catch (cause) {
    const [reason = ''] = cause instanceof Error ? cause.message.split('\n') : [];
    throw new CairnError('USAGE', `the configuration file ${path} does not parse: ${reason}`, {
      hint: 'It must be TOML; texts stand in quotes.',
      cause,
    });
  }
}

function settingsOf(file: Readonly<Record<string, unknown>>, path: string): Map<string, SettingValue> {
  const settings = new Map<string, SettingValue>();
  for (const [name, value] of Object.entries(file)) {
    if (!TABLES.includes(name)) take(settings, path, name, value);
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [inner, innerValue] of Object.entries(value)) take(settings, path, `${name}.${inner}`, innerValue);
    } else throw wrong(path, name, 'must be a table');
  }
  return settings;
}

function take(settings: Map<string, SettingValue>, path: string, name: string, value: unknown): void {
  const row: SettingRow | undefined = SETTINGS.find((one) => one.name === name);
  // A descriptor means something only to the process that was started with it.
  if (row === undefined || name === 'passphrase-fd') throw wrong(path, name, 'is no setting');
  if (!fits(row.type, value)) throw wrong(path, name, `must be ${EXPECTED[row.type]}`);
  settings.set(name, value);
}

function fits(type: SettingType, value: unknown): value is SettingValue {
  switch (type) {
    case 'text':
    case 'path':
    case 'place':
      return typeof value === 'string' && value !== '';
    case 'count':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    case 'flag':
      return typeof value === 'boolean';
    case 'list':
    case 'paths':
      return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
  }
}

function wrong(path: string, name: string, how: string): CairnError {
  const dot = name.indexOf('.');
  const shown = dot === -1 ? `\`${name}\`` : `\`${name.slice(dot + 1)}\` in [${name.slice(0, dot)}]`;
  return new CairnError('USAGE', `the configuration file ${path}: ${shown} ${how}`, {
    hint: 'docs/reference/cli.md lists what can be set.',
  });
}
