import { isCairnError } from '../errors.ts';
import type { CheckMemory } from '../ports/check-memory.ts';
import type { CheckContext } from './context.ts';

/** Milliseconds between two times that what was verified is written down: so much is lost when a check is killed. */
const SAVE_MS = 60_000;

/** When packs were verified. A memory that fails is told of and never fails a check. */
export class VerifiedPacks {
  private readonly context: CheckContext;
  private readonly memory: CheckMemory;
  private readonly known: Map<string, number>;
  private savedMs: number;

  private constructor(context: CheckContext, memory: CheckMemory, known: Map<string, number>) {
    this.context = context;
    this.memory = memory;
    this.known = known;
    this.savedMs = context.access.environment.clock.monotonicMs();
  }

  /** What is remembered of the packs that are there now. */
  static async load(
    context: CheckContext,
    memory: CheckMemory,
    packs: ReadonlyMap<string, unknown>,
  ): Promise<VerifiedPacks> {
    const known = new Map<string, number>();
    await attempt(context, async () => {
      for (const [name, ms] of await memory.read(context.access.id)) if (packs.has(name)) known.set(name, ms);
    });
    return new VerifiedPacks(context, memory, known);
  }

  /** Milliseconds since 1970 by name. */
  get times(): ReadonlyMap<string, number> {
    return this.known;
  }

  /** Takes note that a pack was read wholly just now. */
  async verified(name: string): Promise<void> {
    const { clock } = this.context.access.environment;
    this.known.set(name, Number(clock.nowNs() / 1_000_000n));
    if (clock.monotonicMs() - this.savedMs >= SAVE_MS) await this.save();
  }

  async save(): Promise<void> {
    this.savedMs = this.context.access.environment.clock.monotonicMs();
    await attempt(this.context, () => this.memory.write(this.context.access.id, this.known));
  }
}

async function attempt({ findings }: CheckContext, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isCairnError(error)) throw error;
    findings.add('check-not-remembered', {
      message: `which packs were verified cannot be remembered: ${error.message}`,
      hint: error.hint ?? 'The next check may read the same packs again.',
    });
  }
}
