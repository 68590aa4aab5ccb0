export type { Fault, StoreOperation } from './faulty-store.ts';
export { FaultyStore, STORE_OPERATIONS } from './faulty-store.ts';
export type { ConformanceCase, SuiteOptions } from './object-store-suite.ts';
export { objectStoreSuite, testObjectStore } from './object-store-suite.ts';
export type { CompareOptions } from './compare-trees.ts';
export { compareTrees } from './compare-trees.ts';
export type { HardTree, HardTreeOptions } from './hard-tree.ts';
export { makeHardTree } from './hard-tree.ts';
export { Seeded } from './seeded.ts';
