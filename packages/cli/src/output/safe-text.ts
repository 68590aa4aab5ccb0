import { displayName, fromUtf8 } from '@cairn/core';

/** A text from a repository, made safe for a terminal: whoever wrote it may not be who reads it. */
export function safeText(text: string): string {
  return displayName(fromUtf8(text));
}
