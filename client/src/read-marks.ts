/** At most once a second, the last one; again after what a pause mends, unless another one comes. */
export function createReadMarks(tell: (sequence: number) => Promise<void>) {
  const everyMs = 1_000;
  let wanted: number | undefined;
  let telling = false;
  async function run(): Promise<void> {
    telling = true;
    while (wanted !== undefined) {
      const sequence = wanted;
      wanted = undefined;
      const second = new Promise((resolve) => setTimeout(resolve, everyMs));
      await tell(sequence).catch(() => {});
      await second;
    }
    telling = false;
  }
  return {
    mark(sequence: number): void {
      wanted = sequence;
      if (!telling) void run();
    },
    /** Something else has been said since. */
    drop(): void {
      wanted = undefined;
    },
  };
}
