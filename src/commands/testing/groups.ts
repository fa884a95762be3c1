/** A test file that needs real servers says so in its name. */
const needsServers = (file: string): boolean => file.endsWith('.servers.test.ts');

export interface TestGroup {
  name: string;
  files: string[];
  needsServers: boolean;
}

export interface TestPlan {
  groups: TestGroup[];
  /** Files that this run leaves out, which it has to say. */
  leftOut: string[];
}

/**
 * Sorts test files (paths from the repository's root, with `/`) into the groups that run one after the other. Every
 * file is in exactly one group, or left out because `embeddedOnly` asks for tests that need no servers.
 */
export function planTests(files: string[], embeddedOnly: boolean): TestPlan {
  const inFolder = (folder: string) => (file: string) => file.startsWith(`test/${folder}/`);
  const [unit, conformance, integration] = ['unit', 'conformance', 'integration'].map(inFolder);
  const kinds: { name: string; has: (file: string) => boolean }[] = [
    { name: 'unit', has: (file) => unit?.(file) ?? false },
    { name: 'conformance', has: (file) => conformance?.(file) ?? false },
    {
      name: 'integration, embedded',
      has: (file) => (integration?.(file) ?? false) && !needsServers(file),
    },
    { name: 'integration, three processes', has: (file) => integration?.(file) ?? false },
    { name: 'others', has: () => true },
  ];
  const groups = kinds.map(({ name }) => ({ name, files: [] as string[], needsServers: false }));
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
