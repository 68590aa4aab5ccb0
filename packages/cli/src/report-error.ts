import type { CairnError } from '@cairn/core';

/**
 * Prints an error: for people what happened and what to do, as JSON one object in one line, always the last one on standard
 * error.
 */
export function reportError(error: CairnError, how: { readonly json: boolean; readonly verbose: boolean }): void {
  const lines: string[] = [];
  if (how.verbose) lines.push(...stackOf(error));
  if (how.json) lines.push(JSON.stringify(error));
  else {
    lines.push(`cairn: ${error.message}`);
    if (error.hint !== undefined) lines.push(`       ${error.hint}`);
  }
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** The stack of an error and of what caused it. */
function stackOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return [error.stack ?? error.message, ...stackOf(error.cause)];
}
