/** Process groups: servers are started as leaders of their own, so one signal reaches all their children. */

/** Sends a signal to every process of the group; a group that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
}

export function groupIsAlive(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The pids of the process and of all its descendants, whatever groups they moved to. Reads `ps`. */
export async function processTree(root: number): Promise<number[]> {
  const ps = Bun.spawn(['ps', '-axo', 'pid=,ppid='], { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' });
  const rows = (await new Response(ps.stdout).text())
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const tree = [root];
  for (const parent of tree)
    for (const [pid, ppid] of rows) if (ppid === parent && pid !== undefined) tree.push(pid);
  return tree;
}
