import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { concurrencyCases } from './object-store-concurrency.ts';
import { contentCases } from './object-store-content.ts';
import { listingCases } from './object-store-listing.ts';
import { refusalCases } from './object-store-refusals.ts';
import { Scratch, settle } from './object-store-scratch.ts';

export interface SuiteOptions {
  readonly environment: Environment;
  /**
   * True when nobody else uses the store and it is thrown away afterwards: then listings are compared whole, and `config`
   * and `log`, whose names a repository uses only once, are tried too.
   */
  readonly throwaway: boolean;
}

/** One promise of the port. `run` rejects, with a message for people, when the store does not keep it. */
export interface ConformanceCase {
  readonly name: string;
  /** `make` opens the store; the case closes it, and removes the objects that it put. */
  run(make: () => Promise<ObjectStore>): Promise<void>;
}

/**
 * What each adapter of `ObjectStore` must do, without a test framework. Names are random, and those of packs and index
 * segments are the SHA-256 of the body, so a server that compares them accepts the objects.
 */
export function objectStoreSuite(options: SuiteOptions): readonly ConformanceCase[] {
  return [...contentCases, ...listingCases, ...concurrencyCases, ...refusalCases]
    .filter((check) => options.throwaway || check.throwawayOnly !== true)
    .map((check) => ({
      name: check.name,
      async run(make) {
        const store = await make();
        const scratch = new Scratch(store, options.environment, options.throwaway);
        const outcomes = [await settle(check.run(scratch)), await settle(scratch.clean())];
        await store[Symbol.asyncDispose]();
        for (const outcome of outcomes) if (!outcome.resolved) throw outcome.error;
      },
    }));
}

/** Milliseconds that one case may take, on a slow store too. */
const CASE_TIMEOUT_MS = 60_000;

/** Declares the suite to a test framework: `it` of vitest, or anything like it. */
export function testObjectStore(
  it: (name: string, run: () => Promise<void>, timeoutMs: number) => unknown,
  make: () => Promise<ObjectStore>,
  options: SuiteOptions,
): void {
  for (const check of objectStoreSuite(options)) it(check.name, () => check.run(make), CASE_TIMEOUT_MS);
}
