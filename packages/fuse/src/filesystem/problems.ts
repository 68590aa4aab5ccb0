import { isCairnError } from '@cairn/core';

/** Problems that are remembered, so that each is told once: a program may read a damaged file a thousand times. */
const REMEMBERED = 1_000;

/** Tells of what could not be read: what happened, and to which file and object. */
export class Problems {
  private readonly hear: (text: string) => void;
  private readonly told = new Set<string>();

  constructor(hear: (text: string) => void) {
    this.hear = hear;
  }

  tell(error: unknown, what: string): void {
    const text = `${what}: ${reasonOf(error)}`;
    if (this.told.has(text)) return;
    if (this.told.size >= REMEMBERED) this.told.clear();
    this.told.add(text);
    this.hear(text);
  }
}

function reasonOf(error: unknown): string {
  if (isCairnError(error)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
