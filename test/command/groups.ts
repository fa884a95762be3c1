const inFolder = (folder: string) => (file: string) => file.startsWith(`test/${folder}/`);
/** A test file that needs real servers says so in its name. */
const needsServers = (file: string): boolean => file.endsWith('.servers.test.ts');
const isTorture = (file: string): boolean => file.startsWith('test/integration/torture');
/** It takes a processor for itself. */
const hasBrowser = (file: string): boolean => file === 'test/integration/web-client.servers.test.ts';
/** It loads the machine as much as it bears, and judges how that is borne. */
const loadsMachine = (file: string): boolean => file === 'test/integration/torture.servers.test.ts';

export interface TestGroup {
  name: string;
  files: string[];
  needsServers: boolean;
  /** How many of its files run at the same time. */
  lanes: number;
}

export interface TestPlan {
  groups: TestGroup[];
  /** Files that this run leaves out, which it has to say. */
  leftOut: string[];
}

const integration = (file: string): boolean => inFolder('integration')(file) && !isTorture(file);

/**
 * A file belongs to the first that takes it. What is integrated waits for others more than it works, so there are more lanes than
 * cores embedded. With three processes a third lane would be quicker, but then answers that are promised within seconds now and then
 * come too late.
 */
const kinds: { name: string; lanes: number; has: (file: string) => boolean }[] = [
  { name: 'unit', lanes: 2, has: inFolder('unit') },
  { name: 'conformance', lanes: 3, has: inFolder('conformance') },
  { name: 'integration, embedded', lanes: 3, has: (file) => integration(file) && !needsServers(file) },
  { name: 'browser', lanes: 1, has: hasBrowser },
  { name: 'integration, three processes', lanes: 2, has: integration },
  { name: 'torture', lanes: 1, has: loadsMachine },
  { name: 'torture, small', lanes: 3, has: isTorture },
  { name: 'others', lanes: 1, has: () => true },
];

/**
 * Sorts test files (paths from the repository's root, with `/`) into the groups that run one after the other. Every
 * file is in exactly one group, or left out because `embeddedOnly` asks for tests that need no servers.
 */
export function planTests(files: string[], embeddedOnly: boolean): TestPlan {
  const groups = kinds.map(({ name, lanes }) => ({
    ...{ name, lanes },
    files: [] as string[],
    needsServers: false,
  }));
  const leftOut: string[] = [];
  for (const file of [...files].sort()) {
    if (embeddedOnly && needsServers(file)) {
      leftOut.push(file);
      continue;
    }
    const group = groups[kinds.findIndex((kind) => kind.has(file))];
    group?.files.push(file);
    if (group && needsServers(file)) group.needsServers = true;
  }
  return { groups: groups.filter((group) => group.files.length > 0), leftOut };
}

/** All files that `bun test` would take for tests, as `test/…`. */
export async function findTestFiles(root: string): Promise<string[]> {
  const glob = new Bun.Glob('test/**/*{.,_}{test,spec}.{ts,tsx,js,jsx,mts,cts,mjs,cjs}');
  const files = await Array.fromAsync(glob.scan({ cwd: root }));
  return files.map((file) => file.replaceAll('\\', '/'));
}
