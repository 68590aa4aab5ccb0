import { CairnError } from '@cairn/core';

import { LAYERS, type Settings } from '../settings/settings.ts';
import type { SecretSource } from './read-secret.ts';

/** Options of commands that set a new passphrase. */
export interface NewSecretOptions {
  readonly newPassphraseFile?: string;
  readonly newPassphraseCommand?: string;
  readonly newPassphraseFd?: number;
}

/**
 * Where the settings say that the passphrase comes from; undefined when they do not say. Rejects with `USAGE` when one place
 * names two.
 */
export function secretSourceOf(settings: Settings): SecretSource | undefined {
  const names = ['passphrase-file', 'passphrase-command', 'passphrase-fd'] as const;
  for (const layer of LAYERS) {
    const named = names.filter((name) => settings.find(name)?.layer === layer);
    const [name] = named;
    if (name === undefined) continue;
    assertOne(named.map((each) => settings.find(each)?.where ?? each));
    const value = settings.find(name)?.value;
    if (name === 'passphrase-file') return { kind: 'file', path: String(value) };
    if (name === 'passphrase-command') return { kind: 'command', command: String(value) };
    return { kind: 'fd', fd: Number(value) };
  }
  return undefined;
}

/** The same for a new passphrase, which only options can name. */
export function newSecretSourceOf(options: NewSecretOptions): SecretSource | undefined {
  const { newPassphraseFile: path, newPassphraseCommand: command, newPassphraseFd: fd } = options;
  const sources: (readonly [option: string, source: SecretSource])[] = [];
  if (path !== undefined) sources.push(['--new-passphrase-file', { kind: 'file', path }]);
  if (command !== undefined) sources.push(['--new-passphrase-command', { kind: 'command', command }]);
  if (fd !== undefined) sources.push(['--new-passphrase-fd', { kind: 'fd', fd }]);
  assertOne(sources.map(([option]) => option));
  return sources[0]?.[1];
}

function assertOne(places: readonly string[]): void {
  const [one, two] = places;
  if (two === undefined) return;
  throw new CairnError('USAGE', `a passphrase cannot come from ${one} and from ${two} at once`, {
    hint: 'Give one of them.',
  });
}
