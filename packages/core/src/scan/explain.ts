import { invariant } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import type { ScannedEntry, Selection, SelectionDecision } from './selection.ts';

/** The answer to "is this path in the backup, and why?". */
export interface Explanation {
  readonly taken: boolean;
  /** The entry about which the decision was made: the path itself or a directory above it. */
  readonly decidedAt: ByteString;
  /** Undefined when the path is a source itself. */
  readonly decision: SelectionDecision | undefined;
  /** One to two sentences for people. */
  readonly text: string;
}

/** One sentence about a decision on this very path. */
export function explain(path: ByteString, decision: SelectionDecision): string {
  const shown = displayName(path);
  switch (decision.action) {
    case 'skip':
      return `${shown} is left out: ${decision.reason.text}.`;
    case 'skip-content':
      return `${shown} is taken without what is in it: ${decision.reason.text}.`;
    case 'take':
      return decision.reason === undefined
        ? `${shown} is taken: no rule matches it.`
        : `${shown} is taken: ${decision.reason.text}.`;
  }
}

/** The paths from a source down to `path`, both included; undefined when `path` is not in that source. */
export function pathsBetween(source: ByteString, path: ByteString): ByteString[] | undefined {
  const base = source === '/' ? '' : source;
  if (path !== source && !path.startsWith(`${base}/`)) return undefined;
  const paths = [source];
  for (let slash = base.length; slash < path.length && path !== source;) {
    const next = path.indexOf('/', slash + 1);
    slash = next === -1 ? path.length : next;
    paths.push(path.slice(0, slash));
  }
  return paths;
}

/**
 * Says what becomes of a path and which rule decides, also when that happens at a directory above it.
 * @param chain the entries from the source down to the path (`pathsBetween`), both included.
 */
export function explainPath(selection: Selection, chain: readonly ScannedEntry[]): Explanation {
  const source = chain[0];
  const target = chain.at(-1);
  invariant(source !== undefined && target !== undefined, 'a path to explain is missing');
  const path = target.path;
  let decision: SelectionDecision | undefined;
  for (const [i, entry] of chain.entries()) {
    if (i === 0) continue;
    decision = selection.decide(entry);
    const below = chain[i + 1];
    if (below === undefined) break;
    if (decision.action === 'take') continue;
    if (decision.action === 'skip-content' && decision.keep.includes(nameOf(below.path)) && i + 2 === chain.length) {
      const text = `${displayName(path)} is taken: it is the tag of a directory whose content is left out.`;
      return { taken: true, decidedAt: entry.path, decision, text };
    }
    const text = `${displayName(path)} is left out, as ${explainAbove(entry.path, decision)}${unreached(selection, target)}`;
    return { taken: false, decidedAt: entry.path, decision, text };
  }
  if (decision === undefined) {
    return { taken: true, decidedAt: path, decision, text: `${displayName(path)} is taken: it is a source.` };
  }
  return { taken: decision.action !== 'skip', decidedAt: path, decision, text: explain(path, decision) };
}

function explainAbove(path: ByteString, decision: Exclude<SelectionDecision, { action: 'take' }>): string {
  const what = decision.action === 'skip' ? 'is' : 'is taken without what is in it';
  return `${displayName(path)} ${what}: ${decision.reason.text}.`;
}

/** People expect a `!` rule to reach into an excluded directory; it does not. */
function unreached(selection: Selection, target: ScannedEntry): string {
  const own = selection.decide(target);
  if (own.action !== 'take' || own.reason === undefined) return '';
  return ` The ${own.reason.text} would take it, but an excluded directory is not entered: re-include that too.`;
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}
