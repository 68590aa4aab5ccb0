import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Capabilities } from '../../crypto/capabilities.ts';
import { isCairnError, type ErrorCode } from '../../errors.ts';
import type { Environment } from '../../ports/environment.ts';
import { Repository } from '../../repository.ts';
import { memoryClientState } from '../archive-builder.ts';
import { Seeded } from '../seeded.ts';
import { ACTIONS, keysFor, pathsOf, type Action } from './actions.ts';
import { ClientStore } from './client-store.ts';
import { Sources } from './sources.ts';
import { Witness, readArchive } from './witness.ts';
import { World, type FaultRates } from './world.ts';

export interface SimulationOptions {
  /** Decides everything: the same seed is the same run. */
  readonly seed: string;
  readonly steps: number;
  /** Hears of each step. */
  readonly onStep?: (step: number, what: string) => void;
}

export interface SimulationReport {
  readonly steps: number;
  /** Actions that ended well, and such that ended with an error, by name. */
  readonly done: ReadonlyMap<string, number>;
  readonly failed: ReadonlyMap<string, number>;
  /** Archives that were committed, and those that are roots at the end. */
  readonly archives: number;
  readonly roots: number;
  /** A digest of all that happened: equal for two runs of one seed. */
  readonly trace: string;
}

/** Says which step of which seed showed that something is wrong. */
export class SimulationFailure extends Error {
  constructor(seed: string, step: number, what: string, cause: unknown) {
    super(
      `seed ${seed}, step ${step} (${what}): ${cause instanceof Error ? cause.message : String(cause)}\n` +
        `replay: npm run sim -- ${seed} --steps ${step}`,
      { cause },
    );
  }
}

/** Errors that say that the store, or somebody else, came in between; never that something is damaged. */
const EXPECTED: readonly ErrorCode[] = [
  'STORE_UNREACHABLE',
  'PLAN_STALE',
  'SHARE_EXCEEDED',
  'ARCHIVE_MISSING',
  'ARCHIVE_PROTECTED',
];

const CLIENTS = ['ada', 'bob', 'cyd', 'dan'] as const;
const HOUR_MS = 3_600_000;
/** Turns of the event loop without news after which nobody has anything left to do but wait for the store. */
const QUIET_TURNS = 3;

/** Runs clients, store, faults and time from one seed. Rejects with `SimulationFailure`. */
export async function simulate({ seed, steps, onStep }: SimulationOptions): Promise<SimulationReport> {
  const simulation = await Simulation.start(seed);
  for (let step = 1; step <= steps; step++) {
    let what = 'nothing';
    try {
      what = await simulation.step();
      onStep?.(step, what);
      await simulation.verify();
    } catch (error) {
      throw new SimulationFailure(seed, step, what, error);
    }
  }
  try {
    return { steps, ...(await simulation.end()) };
  } catch (error) {
    throw new SimulationFailure(seed, steps, 'the end', error);
  }
}

/** A client and what it does. */
interface Client {
  readonly name: string;
  readonly store: ClientStore;
  readonly action: Action;
  readonly work: Promise<void>;
}

class Simulation {
  private readonly random: Seeded;
  private readonly world: World;
  private readonly sources = new Sources();
  private readonly witness: Witness;
  private readonly keys: Capabilities;
  private readonly running = new Map<string, Client>();
  /** What each client remembers of the log, and how far its clock is off, milliseconds. */
  private readonly memories = new Map<string, ReturnType<typeof memoryClientState>>();
  private readonly skews = new Map<string, number>();
  private readonly done = new Map<string, number>();
  private readonly failed = new Map<string, number>();
  private failure: { readonly error: unknown } | undefined;
  private events = 0;
  private trace = '';

  private constructor(random: Seeded, world: World, keys: Capabilities, witness: Witness) {
    this.random = random;
    this.world = world;
    this.keys = keys;
    this.witness = witness;
  }

  static async start(seed: string): Promise<Simulation> {
    await (loaded ??= loadAll());
    const random = new Seeded(seed);
    const world = new World(random, ratesOf(random));
    const environment: Environment = { clock: world.clock, random: new Seeded(`${seed} keys`) };
    const { keys } = await Repository.create(world.store, { environment });
    return new Simulation(random, world, keys, new Witness(world, keys, environment));
  }

  /** Does one thing and says what. */
  async step(): Promise<string> {
    const { random, world } = this;
    world.pass(1 + random.below(2_000));
    const what = await this.doOne();
    await this.settle();
    this.trace = new Seeded(`${this.trace} ${what}`).bytes(8).join('.');
    if (this.failure !== undefined) throw this.failure.error;
    return what;
  }

  private async doOne(): Promise<string> {
    const { random, world } = this;
    const dice = random.below(1_000);
    if (dice < 8) return this.jump();
    if (dice < 11) return this.kill();
    if (dice < 12) return this.cutPower();
    if (dice < 60 && world.late.length > 0) return await world.deliver();
    // Mostly one or two at a time, so that actions come to their end; sometimes all.
    const isCrowded = this.running.size >= (dice < 800 ? 2 : CLIENTS.length);
    if (world.calls.length > 0 && (isCrowded || random.chance(0.95))) return await world.grant();
    return this.begin();
  }

  /** Lets everybody go on until all wait for the store: they read files, and that is no step. */
  private async settle(): Promise<void> {
    for (let quiet = 0, seen = -1; quiet < QUIET_TURNS; quiet++) {
      await nextTurn();
      const now = this.events + this.world.calls.length;
      if (now !== seen) quiet = 0;
      seen = now;
    }
  }

  private begin(): string {
    const { random, world } = this;
    const idle = CLIENTS.filter((name) => !this.running.has(name));
    if (idle.length === 0) return 'everybody is busy';
    const name = random.oneOf(idle);
    const action = random.oneOf(ACTIONS.flatMap((one) => Array.from({ length: one.weight }, () => one)));
    const store = new ClientStore(world, name);
    const skew = this.skews.get(name) ?? 0;
    const environment: Environment = {
      clock: {
        nowNs: () => world.clock.nowNs() + BigInt(skew) * 1_000_000n,
        monotonicMs: () => world.clock.monotonicMs(),
      },
      random: new Seeded(`${this.trace} ${name}`),
    };
    const clientState = this.memories.get(name) ?? memoryClientState();
    this.memories.set(name, clientState);
    const clocksAgree = (): boolean => this.skews.size === 0;
    const choices = new Seeded(`${this.trace} ${name} choices`);
    const work = (async () => {
      const repository = await Repository.open(store, { keys: keysFor(action, this.keys), environment, clientState });
      await action.run({ repository, random: choices, sources: this.sources, clocksAgree });
    })();
    const client = { name, store, action, work };
    this.running.set(name, client);
    work.then(
      () => this.count(client, this.done),
      (error: unknown) => {
        this.count(client, this.failed);
        if (store.dead || EXPECTED.some((code) => isCairnError(error, code))) return;
        this.failure ??= { error };
      },
    );
    return `${name} begins: ${action.name}`;
  }

  private count({ name, action, store }: Client, counts: Map<string, number>): void {
    this.events += 1;
    counts.set(action.name, (counts.get(action.name) ?? 0) + 1);
    if (!store.dead) this.running.delete(name);
  }

  /** Time passes in which nobody does anything, or somebody's clock is set. */
  private jump(): string {
    const { random, world } = this;
    if (random.chance(0.5)) {
      const hours = random.oneOf([1, 12, 24, 24 * 8, 24 * 40]);
      world.pass(hours * HOUR_MS);
      return `${hours} hours pass`;
    }
    const name = random.oneOf(CLIENTS);
    const skew = (random.below(2_001) - 1_000) * HOUR_MS;
    this.skews.set(name, skew);
    return `the clock of ${name} is ${skew / HOUR_MS} hours off from its next action on`;
  }

  private kill(): string {
    const client = this.random.oneOf([...this.running.values()]);
    if (client === undefined) return 'nobody is there to be killed';
    this.finish(client);
    return `${client.name} is killed during ${client.action.name}`;
  }

  private finish(client: Client): void {
    client.store.dead = true;
    this.running.delete(client.name);
    this.world.drop(client.name);
  }

  /** The machine with the store, and everybody on it, loses power. */
  private cutPower(): string {
    const killed = [...this.running.values()];
    for (const client of killed) this.finish(client);
    const lost = this.world.cutPower();
    if (lost > 0) {
      this.witness.forget();
      // A client on the same machine remembers heads as durably as the store keeps its log.
      this.memories.clear();
    }
    return `power is cut: ${lost} objects are lost, ${killed.length} clients are killed`;
  }

  async verify(): Promise<void> {
    await this.witness.verify();
  }

  /** Lets everybody finish without faults, and then reads every archive and checks everything. */
  async end(): Promise<Omit<SimulationReport, 'steps'>> {
    for (const client of this.running.values()) this.finish(client);
    await this.settle();
    while (this.world.late.length > 0) await this.world.deliver();
    const repository = await this.witness.look();
    await repository.access.reloadIndex();
    const roots = await this.witness.roots();
    for (const archive of roots) await readArchive(repository, archive, this.sources.filesOf(pathsOf(archive)));
    const report = await repository.check({ data: true, threads: 0 });
    const errors = report.findings.filter(({ severity, code }) => severity === 'error' && code !== 'entry-unreadable');
    if (errors.length > 0) throw new Error(`check finds damage at the end: ${JSON.stringify(errors)}`);
    const archives = repository.access.log.state.archives.size;
    return { done: this.done, failed: this.failed, archives, roots: roots.length, trace: this.trace };
  }
}

/** Loading a module takes as long as it takes, which is not decided by the seed: so all is loaded before the first step. */
let loaded: Promise<void> | undefined;

async function loadAll(): Promise<void> {
  const world = new World(new Seeded('load'), { refused: 0, unanswered: 0, late: 0, twice: 0 });
  const environment: Environment = { clock: world.clock, random: new Seeded('load') };
  const { keys } = await Repository.create(world.store, { environment });
  const scene = { random: new Seeded('load'), sources: new Sources(), clocksAgree: () => true };
  for (const action of ACTIONS) {
    world.pass(HOUR_MS);
    await action.run({ ...scene, repository: await Repository.open(world.store, { keys, environment }) });
  }
}

/** Some runs have no faults at all, some many. */
function ratesOf(random: Seeded): FaultRates {
  const rate = random.oneOf([0, 0.001, 0.003, 0.01]);
  return { refused: rate, unanswered: rate, late: rate, twice: rate };
}
