import type { ByteString } from '../host/byte-path.ts';
import { ExaminedPath } from './path-text.ts';
import { parsePattern, type Pattern, type RuleSource } from './pattern.ts';

/** What the rules say of one path; `rule` is the one that decided, absent when none matched. */
export interface RuleDecision {
  readonly excluded: boolean;
  readonly rule?: RuleSource;
}

interface Rule {
  /** Place in the list: the greatest that matches decides. */
  readonly rank: number;
  readonly source: RuleSource;
  readonly pattern: Pattern;
}

const NO_RULE: RuleDecision = { excluded: false };

/**
 * An ordered list of rules. The last one that matches a path decides, except that `pf:` rules outrank all others. Rules
 * speak of one path at a time: who walks does not enter an excluded directory, so nothing inside it is asked about.
 */
export class ExcludeRules {
  private readonly overriding = new Map<ByteString, Rule[]>();
  private readonly byPath = new Map<ByteString, Rule[]>();
  private readonly byName = new Map<ByteString, Rule[]>();
  private readonly byExtension = new Map<ByteString, Rule[]>();
  private readonly others: Rule[] = [];
  /** True when there are no rules at all. */
  readonly isEmpty: boolean;

  /** Rejects with `USAGE` for the first pattern that is wrong. */
  constructor(sources: readonly RuleSource[]) {
    this.isEmpty = sources.length === 0;
    for (const [rank, source] of sources.entries()) {
      const pattern = parsePattern(source);
      this.listFor(pattern).push({ rank, source, pattern });
    }
  }

  /**
   * No rule is about the root itself.
   * @param path absolute byte string without a slash at its end.
   */
  decide(path: ByteString, isDirectory: boolean): RuleDecision {
    if (this.isEmpty || path === '/') return NO_RULE;
    const examined = new ExaminedPath(path);
    const { name } = examined;
    const dot = name.lastIndexOf('.');
    let rule = latest(this.overriding.get(path), examined, isDirectory, undefined);
    if (rule === undefined) {
      rule = latest(this.byPath.get(path), examined, isDirectory, rule);
      rule = latest(this.byName.get(name), examined, isDirectory, rule);
      if (dot >= 0) rule = latest(this.byExtension.get(name.slice(dot + 1)), examined, isDirectory, rule);
      rule = latest(this.others, examined, isDirectory, rule);
    }
    return rule === undefined ? NO_RULE : { excluded: !rule.pattern.isReinclude, rule: rule.source };
  }

  private listFor({ key, isOverriding }: Pattern): Rule[] {
    switch (key.kind) {
      case 'path':
        return listIn(isOverriding ? this.overriding : this.byPath, key.path);
      case 'name':
        return listIn(this.byName, key.name);
      case 'extension':
        return listIn(this.byExtension, key.extension);
      case 'none':
        return this.others;
    }
  }
}

function listIn(lists: Map<ByteString, Rule[]>, key: ByteString): Rule[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: Rule[] = [];
  lists.set(key, list);
  return list;
}

/** The last rule of the list that matches and comes after `best`, else `best`. */
function latest(
  rules: readonly Rule[] | undefined,
  path: ExaminedPath,
  isDirectory: boolean,
  best: Rule | undefined,
): Rule | undefined {
  if (rules === undefined) return best;
  for (let i = rules.length - 1; i >= 0; i -= 1) {
    const rule = rules[i];
    if (rule === undefined || (best !== undefined && rule.rank < best.rank)) return best;
    if ((isDirectory || !rule.pattern.isDirectoryOnly) && rule.pattern.matches(path)) return rule;
  }
  return best;
}
