/** From here on a Set is quicker; up to here it is the larger. */
const mostItems = 8;

/** What of a Set is used of those that nearly always hold one item. */
export interface Few<Item> extends Iterable<Item> {
  readonly size: number;
  has(item: Item): boolean;
  keys(): IterableIterator<Item>;
}

/**
 * A Set for one item or two: 0.1 KB, where a Set takes 0.3 KB for its first item, and there are two for each socket. Iterating
 * goes over what it held at the beginning.
 */
export class SmallSet<Item> implements Few<Item> {
  #items: Item[] | Set<Item> = [];

  get size(): number {
    return Array.isArray(this.#items) ? this.#items.length : this.#items.size;
  }

  has(item: Item): boolean {
    return Array.isArray(this.#items) ? this.#items.includes(item) : this.#items.has(item);
  }

  add(item: Item): this {
    if (!Array.isArray(this.#items)) this.#items.add(item);
    else if (!this.#items.includes(item)) {
      if (this.#items.length < mostItems) this.#items.push(item);
      else this.#items = new Set([...this.#items, item]);
    }
    return this;
  }

  delete(item: Item): boolean {
    if (!Array.isArray(this.#items)) return this.#items.delete(item);
    const at = this.#items.indexOf(item);
    if (at < 0) return false;
    this.#items.splice(at, 1);
    return true;
  }

  keys(): IterableIterator<Item> {
    return [...this.#items].values();
  }

  [Symbol.iterator](): IterableIterator<Item> {
    return this.keys();
  }
}
