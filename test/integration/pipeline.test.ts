import { afterAll, describe } from 'bun:test';
import { startCollector } from '../support/collector.ts';
import { startEmbedded } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { examplesSuite, oneAddressExamples } from './examples.ts';
import { oddSendsSuite } from './odd-sends.ts';
import { pipelineSuite, serviceToken } from './pipeline.ts';
import { tracedBy, tracingSuite } from './tracing.ts';

const processes = testProcesses();
const collector = startCollector();
afterAll(collector.stop);
const deployment = await startEmbedded(processes, {
  env: { SERVICE_TOKEN: serviceToken, ...tracedBy(collector) },
});

describe('the pipeline in one process', () => {
  pipelineSuite({ processes, deployment });
  oddSendsSuite({ deployment });
  tracingSuite({ deployment, collector, services: { api: 'confab', worker: 'confab', gateway: 'confab' } });
});
describe('the examples in one process', () => {
  examplesSuite({ processes, deployment });
  oneAddressExamples({ processes, deployment });
});
