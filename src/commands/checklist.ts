/** `bun run checklist`: the six steps of the setup guide against a running deployment; with `--all`, what else a chat has. */
import { loadConfig } from '../process/load-config.ts';
import { secretsIn } from '../shared/config/variable-kinds.ts';
import { advice, answersSocketIo } from './checklist/advice.ts';
import type { ChecklistOptions } from './checklist/arguments.ts';
import { checklistUsage, parseChecklistArguments } from './checklist/arguments.ts';
import { createRestClient, StepFailure } from './checklist/client.ts';
import { featureSteps } from './checklist/features.ts';
import { createSteps } from './checklist/steps.ts';
import { operate } from './operator/operate.ts';

/** The deployment on this machine: sockets are where REST is, or else on the gateway's own port. */
async function addresses({ api, socket }: ChecklistOptions): Promise<{ api: string; socket: string }> {
  if (api !== undefined) return { api, socket: socket ?? api };
  const config = loadConfig({ needsSecret: false });
  const local = `http://localhost:${config.port}`;
  const gateway = `http://localhost:${config.gatewayPort}`;
  if (socket !== undefined) return { api: local, socket };
  const elsewhere = !(await answersSocketIo(local)) && (await answersSocketIo(gateway));
  return { api: local, socket: elsewhere ? gateway : local };
}

async function main(options: ChecklistOptions): Promise<boolean> {
  const { api: apiUrl, socket: socketUrl } = await addresses(options);
  const api = createRestClient(apiUrl);
  const { steps, progress, listeners, close } = createSteps({ api, socketUrl, a: options.a, b: options.b });
  // As it is given to the api: any of them is good.
  const serviceToken = secretsIn(process.env.SERVICE_TOKEN ?? '')[0] || undefined;
  const more = options.all ? featureSteps({ api, socketUrl, progress, listeners, serviceToken }) : [];
  let leftOut = 0;
  console.log(`REST at ${apiUrl}, sockets at ${socketUrl}\n`);
  try {
    for (const [at, step] of [...steps, ...more].entries()) {
      const started = performance.now();
      const time = () => `${Math.round(performance.now() - started)} ms`;
      try {
        const outcome = await step.run();
        if (typeof outcome === 'string') {
          console.log(`✓ ${at + 1}. ${step.name}  ${time()}\n     ${outcome}`);
        } else {
          leftOut += 1;
          console.log(`– ${at + 1}. ${step.name}  left out\n     ${outcome.leftOut}`);
        }
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error;
        console.log(`✗ ${at + 1}. ${step.name}  ${time()}\n     ${error.message}`);
        console.log('\nWhat to look at, in this order:');
        for (const line of await advice(api, socketUrl, progress)) console.log(`  - ${line}`);
        return false;
      }
    }
    const after = more.length > 0 ? `, and the ${more.length - leftOut} after them` : '';
    console.log(`\nAll six steps work${after}${leftOut > 0 ? `; ${leftOut} is left out` : ''}.`);
    return true;
  } finally {
    close();
  }
}

await operate(checklistUsage, async () => {
  const options = parseChecklistArguments(process.argv.slice(2));
  if (options === 'help') {
    console.log(checklistUsage);
    return 0;
  }
  return (await main(options)) ? 0 : 1;
});
