import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { simulate, SimulationFailure } from './simulation.ts';

const STEPS = 2_000;

/** `npm run sim -- [SEED] [--steps N] [--quiet]`; gives the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { steps: { type: 'string' }, quiet: { type: 'boolean', short: 'q' } },
  });
  const seed = positionals[0] ?? randomBytes(4).toString('hex');
  const steps = Number(values.steps ?? STEPS);
  if (!Number.isSafeInteger(steps) || steps < 1 || positionals.length > 1) {
    print(process.stderr, 'Usage: npm run sim -- [SEED] [--steps NUMBER] [--quiet]');
    return 2;
  }
  const quiet = values.quiet === true;
  try {
    const report = await simulate({
      seed,
      steps,
      ...(quiet ? {} : { onStep: (step, what) => print(process.stdout, `${String(step).padStart(6)}  ${what}`) }),
    });
    const list = (counts: ReadonlyMap<string, number>): string =>
      [...counts].map(([name, count]) => `${count} ${name}`).join(', ') || 'none';
    print(
      process.stdout,
      `seed ${seed}: ${steps} steps, ${report.archives} archives, ${report.roots} of them roots, trace ${report.trace}`,
    );
    print(process.stdout, `done: ${list(report.done)}`);
    print(process.stdout, `ended by a fault or by somebody else: ${list(report.failed)}`);
    return 0;
  } catch (error) {
    if (!(error instanceof SimulationFailure)) throw error;
    print(process.stderr, error.message);
    if (error.cause instanceof Error) print(process.stderr, error.cause.stack ?? '');
    return 1;
  }
}

function print(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${line}\n`);
}
