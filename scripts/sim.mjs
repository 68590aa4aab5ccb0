#!/usr/bin/env node
// @ts-check
/**
 * Runs the simulator: clients, store, faults and time in one thread, from one seed.
 *
 *     npm run sim                           # a new seed, which is printed
 *     npm run sim -- SEED --steps 5000      # the same run again
 */
import { main } from '../packages/core/dist/testing/simulator/main.js';

process.exitCode = await main(process.argv.slice(2));
