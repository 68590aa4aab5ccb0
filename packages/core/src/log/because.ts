/** What an entry of the log is to say of why something was decided, and by whom: for people who read it. */
export interface Because {
  /** Why. */
  readonly reason?: string;
  /** Who, as in `ada@web1`: to the log, all who hold a key are the same. */
  readonly by?: string;
}

/** `ada@web1: test run`, or what of it is known. */
export function becauseText({ reason = '', by = '' }: Because): string {
  return [by, reason].filter((text) => text !== '').join(': ');
}
