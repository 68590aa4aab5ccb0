import { DirectoryListing, type ChunkSource, type ContentReference } from '@cairn/core';

/** Memory of all listings kept, bytes; about 5,000 directories of usual size. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Listings of directories that were looked at lately. */
export class ListingCache {
  private readonly source: ChunkSource;
  private readonly listings = new Map<number, DirectoryListing>();
  private readonly loading = new Map<number, Promise<DirectoryListing>>();
  private bytes = 0;

  constructor(source: ChunkSource) {
    this.source = source;
  }

  /** The listing of directory `number`, whose content `content` gives when it must be read. */
  async get(number: number, content: () => Promise<ContentReference>): Promise<DirectoryListing> {
    const kept = this.listings.get(number);
    if (kept !== undefined) {
      this.listings.delete(number);
      this.listings.set(number, kept);
      return kept;
    }
    let loading = this.loading.get(number);
    if (loading === undefined) {
      loading = this.load(number, content);
      this.loading.set(number, loading);
    }
    return await loading;
  }

  private async load(number: number, content: () => Promise<ContentReference>): Promise<DirectoryListing> {
    try {
      const listing = await DirectoryListing.load(this.source, await content());
      this.listings.set(number, listing);
      this.bytes += listing.memoryBytes;
      for (const [oldest, { memoryBytes }] of this.listings) {
        if (this.bytes <= MOST_BYTES || oldest === number) break;
        this.listings.delete(oldest);
        this.bytes -= memoryBytes;
      }
      return listing;
    } finally {
      this.loading.delete(number);
    }
  }
}
