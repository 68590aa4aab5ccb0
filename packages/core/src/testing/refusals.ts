import { isCairnError, type ErrorCode } from '../errors.ts';

/** What a parser may answer to bytes that are not as the format page says. */
const REFUSALS: readonly ErrorCode[] = ['CORRUPT', 'FORMAT_UNSUPPORTED', 'LIMIT_EXCEEDED', 'WRONG_KEY'];

/** The result of a parser, or the code of its refusal. Any other error is passed on, so that a test fails with it. */
export function readOrRefuse<T>(read: () => T): { readonly value: T } | { readonly refused: ErrorCode } {
  try {
    return { value: read() };
  } catch (error) {
    if (isCairnError(error) && REFUSALS.includes(error.code)) return { refused: error.code };
    throw error;
  }
}

/** As `readOrRefuse`, for parsers that answer later. */
export async function readOrRefuseLater<T>(
  read: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly refused: ErrorCode }> {
  try {
    return { value: await read() };
  } catch (error) {
    return readOrRefuse(() => {
      throw error;
    });
  }
}

/** The code of a parser's refusal, or `accepted`. */
export function refusal(read: () => unknown): ErrorCode | 'accepted' {
  const answer = readOrRefuse(read);
  return 'refused' in answer ? answer.refused : 'accepted';
}
