/**
 * Process groups: what is started here leads one of its own, so one signal reaches all its children. Windows has none;
 * there every signal ends the process and its descendants by force.
 */
import { readdir } from 'node:fs/promises';

const windows = process.platform === 'win32';

/** Sends a signal to every process of the group; a group that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (windows) {
    Bun.spawnSync(['taskkill', '/pid', String(pid), '/t', '/f']);
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
}

/** Whether anything of the group still runs. The dead whom nobody has collected yet do not count. */
export async function groupIsAlive(group: number): Promise<boolean> {
  try {
    process.kill(windows ? group : -group, 0);
  } catch {
    return false;
  }
  return windows || (await processes()).some((each) => each.group === group && !each.dead);
}

/** The pids of the process and of all its descendants, whatever groups they moved to. */
export async function processTree(root: number): Promise<number[]> {
  const all = await processes();
  const tree = [root];
  for (const parent of tree) for (const each of all) if (each.parent === parent) tree.push(each.pid);
  return tree;
}

/** Whether one of these processes still runs. */
export async function anyRuns(pids: number[]): Promise<boolean> {
  return (await processes()).some((each) => pids.includes(each.pid) && !each.dead);
}

interface ProcessRow {
  pid: number;
  parent: number;
  group: number;
  dead: boolean;
}

/** All processes; from /proc where there is one, because slim containers have no `ps`. */
async function processes(): Promise<ProcessRow[]> {
  if (process.platform !== 'linux') {
    const ps = Bun.spawn(['ps', '-axo', 'pid=,ppid=,pgid=,stat='], { stdin: 'ignore', stderr: 'ignore' });
    const lines = (await new Response(ps.stdout).text()).trim().split('\n');
    return lines.map((line) => toRow(line.trim().split(/\s+/)));
  }
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = ids.map(async (id) => {
    const stat = await Bun.file(`/proc/${id}/stat`)
      .text()
      .catch(() => undefined);
    // "pid (name) state parent group …": the name may have blanks and brackets.
    const [state, parent, group] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    return state === undefined ? [] : [toRow([id, parent, group, state])];
  });
  return (await Promise.all(rows)).flat();
}

function toRow([pid, parent, group, state]: (string | undefined)[]): ProcessRow {
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    dead: state?.startsWith('Z') ?? true,
  };
}
