import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startServers } from '../harness/servers.ts';
import type { Guard } from '../src/commands/servers/guard.ts';
import { stopTrio } from '../src/commands/servers/launcher.ts';
import type { ClusterArguments, TortureArguments } from './arguments.ts';
import { startCluster } from './cluster/cluster.ts';
import { judge } from './judge.ts';
import { recoveries } from './recovery.ts';
import { makeReport, printReport, type Report } from './report.ts';
import { runTorture, type TortureOptions } from './run.ts';
import { makeSchedule, type ScheduleOptions } from './schedule.ts';

interface Place {
  guard: Guard;
  folder: string;
  root: string;
  print: (line: string) => void;
}

/** @returns whether every promise held */
export async function tortureServers(given: TortureArguments, place: Place): Promise<boolean> {
  const servers = await startServers({ ...place, durable: false });
  try {
    const report = await tortured({ ...given, ...place, servers, waves: makeSchedule(given) });
    await write(given.report, report);
    return report.passed;
  } finally {
    await stopTrio(servers);
  }
}

/** With each form of Redis on servers of its own. @returns whether every promise held */
export async function tortureCluster(given: ClusterArguments, place: Place): Promise<boolean> {
  const reports: Report[] = [];
  for (const options of clusterRuns(given)) {
    place.print(`Redis: ${options.cluster}`);
    const folder = join(place.folder, options.cluster);
    await mkdir(folder);
    const cluster = await startCluster({ ...place, folder, redis: options.cluster });
    const { servers } = cluster;
    try {
      const waves = makeSchedule(options);
      reports.push(await tortured({ ...given, ...options, ...place, folder, servers, cluster, waves }));
    } finally {
      await stopTrio(servers);
    }
  }
  await write(given.report, reports);
  return reports.every(({ passed }) => passed);
}

/** One for each form of Redis, with its share of the minutes. */
export const clusterRuns = ({ redis, seed, minutes, kinds }: ClusterArguments) =>
  redis.map(
    (cluster) => ({ cluster, seed, kinds, minutes: minutes / redis.length }) satisfies ScheduleOptions,
  );

async function tortured(options: TortureOptions): Promise<Report> {
  const { seed, minutes, print } = options;
  const result = await runTorture(options);
  const began = performance.now();
  const verdicts = judge(result.history);
  print(`judged in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  const found = recoveries(result.history, result.loadEndedAt);
  const report = makeReport({ result, verdicts, seed, minutes, recoveries: found });
  printReport(report, print);
  return report;
}

async function write(file: string | undefined, report: Report | readonly Report[]): Promise<void> {
  if (file !== undefined) await Bun.write(file, `${JSON.stringify(report, undefined, 2)}\n`);
}
