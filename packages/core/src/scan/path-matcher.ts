import type { ByteString } from '../host/byte-path.ts';
import { ExcludeRules } from './exclude.ts';

/**
 * Says whether a path matches one of the patterns, written as for excludes (docs/guides/exclude.md); one that begins with `!`
 * takes away from what those before it match. Rejects with `USAGE` for a pattern that is wrong.
 */
export function pathMatcher(patterns: readonly string[]): (path: ByteString, isDirectory: boolean) => boolean {
  const rules = new ExcludeRules(patterns.map((pattern) => ({ pattern, origin: 'option' })));
  return (path, isDirectory) => rules.decide(path, isDirectory).excluded;
}
