import { now } from '../clock.ts';
import { type ClusterFault, nameOf } from '../fault.ts';
import type { FaultHelpers } from '../fault-helpers.ts';
import { recovered } from '../recovered.ts';
import type { Cluster } from './cluster.ts';

/** So long it takes to see that a primary is gone. */
const noticedMs = 1_500;

/**
 * What a cluster is there to survive: flow is to be back from the blow on, without what is away. That returns only then, or
 * after a deadline. The blow and the return are a record each, and end as they begin.
 */
export async function carryOutInCluster(fault: ClusterFault, helpers: FaultHelpers): Promise<void> {
  const { deployment, recorder } = helpers;
  const name = nameOf(fault);
  const redisAway = 'process' in fault && fault.process === 'redis';
  const record = (called: string): void => {
    recorder.faults.push({ name: called, begunAt: now(), endedAt: now(), redisAway });
  };
  try {
    if (!deployment.cluster) throw new Error('there is no cluster');
    const { strike, restore } = await blowOf(fault, deployment.cluster);
    record(name);
    await strike();
    await Bun.sleep(fault.durationMs);
    await recovered(helpers);
    record(`return after ${name}`);
    await restore();
  } catch (error) {
    // What is not together again would not survive the next one.
    throw new Error(`${name} could not be carried out: ${error instanceof Error ? error.message : error}`);
  }
}

interface Blow {
  strike: () => Promise<void> | void;
  /** Resolves when all are together again. */
  restore: () => Promise<void>;
}

async function blowOf(fault: ClusterFault, { brokers, postgres, redis }: Cluster): Promise<Blow> {
  switch (fault.kind) {
    case 'leader-kill': {
      const leader = await brokers.leaderOf(`chat.message.send.p${fault.partition}`);
      return { strike: leader.kill, restore: leader.restart };
    }
    case 'partition': {
      const node = brokers.node(fault.node);
      return { strike: node.cutOff, restore: node.rejoin };
    }
    case 'fail-over':
      return fault.process === 'redis'
        ? { strike: redis.failOver, restore: redis.rejoin }
        : { strike: () => postgres.failOver(noticedMs), restore: postgres.rejoin };
  }
}
