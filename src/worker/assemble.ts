import type { Adapters } from '../adapters/ground.ts';
import { envelopeKey } from '../db/settings.ts';
import type { ProcessParts } from '../process/run-process.ts';
import { createEnvelopeCodec } from '../shared/envelope-codec.ts';
import { startWorker, type Worker } from './worker.ts';

/** Starts a worker on these adapters, and registers its end. */
export async function assembleWorker(
  { config, log, lifecycle, metrics }: ProcessParts,
  adapters: Adapters,
): Promise<Worker> {
  const database = await adapters.database();
  const [partitionSource, deadLetterSink, notifier, membership] = await Promise.all([
    adapters.partitionSource(),
    adapters.deadLetterSink(),
    adapters.notifier(),
    adapters.membership(),
  ]);
  const { partitionCount } = adapters;
  const worker = await startWorker({
    database,
    partitionSource,
    deadLetterSink,
    notifier,
    membership,
    envelopes: createEnvelopeCodec(await envelopeKey(database)),
    config: { ...config.worker, partitionCount },
    ...{ metrics, log },
  });
  lifecycle.defer('the worker', () => worker.stop());
  return worker;
}
