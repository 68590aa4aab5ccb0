/** What a client remembers of the stores that it uses, by address, so that it need not find it out each time. */
export interface StoreMemory {
  /** True when this client saw the store at that address keep its promise never to overwrite. */
  isProved(address: string): Promise<boolean>;
  setProved(address: string): Promise<void>;
}
