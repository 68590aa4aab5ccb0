import { hasScheme } from '@cairn/core';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { readConfigFile } from './config-file.ts';
import { Settings, type Setting, type SettingValue } from './settings.ts';
import { SETTINGS, type SettingName, type SettingRow } from './table.ts';

/** Options as commander gives them: camel case, lists as arrays. */
export type OptionValues = Readonly<Record<string, unknown>>;
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Gathers the settings from options, environment and configuration file. Rejects with `USAGE` naming the place of the first
 * value that cannot be.
 */
export async function resolveSettings(options: OptionValues, variables: Variables): Promise<Settings> {
  const config = await configuration(options, variables);
  const values = new Map<SettingName, Setting>();
  for (const row of SETTINGS as readonly (SettingRow & { name: SettingName })[]) {
    const setting =
      fromOption(row, options) ?? fromVariable(row, variables) ?? config(row) ?? byDefault(row, variables);
    if (setting !== undefined) values.set(row.name, setting);
  }
  return new Settings(values);
}

/** Where configuration files are looked for: the first that exists is used, and no other. */
export function configPlaces(variables: Variables): readonly string[] {
  return [join(configHome(variables), 'config.toml'), '/etc/cairn/config.toml'];
}

/** Cairn's own directory for configuration and key files of this user (XDG Base Directory Specification). */
export function configHome(variables: Variables): string {
  return join(baseDirectory(variables, 'XDG_CONFIG_HOME', '.config'), 'cairn');
}

function baseDirectory(variables: Variables, variable: string, below: string): string {
  const given = variables[variable];
  // The specification: relative paths are to be ignored.
  return given?.startsWith('/') === true ? given : join(variables['HOME'] || homedir(), below);
}

async function configuration(
  options: OptionValues,
  variables: Variables,
): Promise<(row: SettingRow) => Setting | undefined> {
  const named = options['config'] ?? (variables['CAIRN_CONFIG'] || undefined);
  const places = typeof named === 'string' ? [named] : configPlaces(variables);
  for (const place of places) {
    const entries = await readConfigFile(place, typeof named === 'string');
    if (entries === undefined) continue;
    const path = resolve(place);
    return (row) => {
      const value = entries.get(row.name);
      return value === undefined ? undefined : { value: located(row, value, path), layer: 'file', where: path };
    };
  }
  return () => undefined;
}

/** Paths of a configuration file start at its own directory, wherever the command runs. */
function located({ type }: SettingRow, value: SettingValue, file: string): SettingValue {
  const place = (text: string): string =>
    text.startsWith('~/') ? join(homedir(), text.slice(2)) : resolve(dirname(file), text);
  if (typeof value === 'string' && (type === 'path' || (type === 'place' && !hasScheme(value)))) return place(value);
  return type === 'paths' && Array.isArray(value) ? value.map((text: string) => place(text)) : value;
}

function fromOption(row: SettingRow, options: OptionValues): Setting | undefined {
  if (row.option === undefined) return undefined;
  const value = options[camelCase(row.option)];
  if (value === undefined) return undefined;
  return { value: value as SettingValue, layer: 'option', where: `--${row.option}` };
}

function fromVariable(row: SettingRow, variables: Variables): Setting | undefined {
  const value = row.variable === undefined ? undefined : variables[row.variable];
  // An empty variable is how shells and service managers write "not set".
  if (row.variable === undefined || value === undefined || value === '') return undefined;
  return { value, layer: 'environment', where: row.variable };
}

function byDefault({ name }: SettingRow, variables: Variables): Setting | undefined {
  const at = (value: string): Setting => ({ value, layer: 'default', where: 'default' });
  if (name === 'state-directory') return at(join(baseDirectory(variables, 'XDG_STATE_HOME', '.local/state'), 'cairn'));
  if (name === 'cache-directory') return at(join(baseDirectory(variables, 'XDG_CACHE_HOME', '.cache'), 'cairn'));
  if (name === 'jobs-directory') return at(jobsDirectory(variables));
  return undefined;
}

/** Jobs of the system belong to root, who runs them; everybody else has jobs of their own. */
function jobsDirectory(variables: Variables): string {
  return process.getuid?.() === 0 ? '/etc/cairn/jobs' : join(configHome(variables), 'jobs');
}

function camelCase(option: string): string {
  return option.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
