import { describe } from 'bun:test';
import { startEmbedded } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { examplesSuite, oneAddressExamples } from './examples.ts';
import { oddSendsSuite } from './odd-sends.ts';
import { pipelineSuite, serviceToken } from './pipeline.ts';

const processes = testProcesses();
const deployment = await startEmbedded(processes, { env: { SERVICE_TOKEN: serviceToken } });

describe('the pipeline in one process', () => {
  pipelineSuite({ processes, deployment });
  oddSendsSuite({ deployment });
});
describe('the examples in one process', () => {
  examplesSuite({ processes, deployment });
  oneAddressExamples({ processes, deployment });
});
