import { guideBlock } from './repository.ts';

interface Address {
  url: string;
}

/** What the setup guide's configurations of balancers lead to: two of each. */
export interface Balanced {
  apis: readonly Address[];
  gateways: readonly Address[];
}

/** The setup guide's own configuration of nginx, the text of an `http` block, with a server at `127.0.0.1:<port>`. */
export async function guidesNginx(balanced: Balanced): Promise<(port: number) => string> {
  const text = led(await guideBlock('nginx', 'upstream chat-be'), balanced);
  return (port) => text.replace('listen 8080', `listen 127.0.0.1:${port}`);
}

/** The setup guide's own configuration of HAProxy, at `127.0.0.1:<port>`. */
export async function guidesHaproxy(balanced: Balanced): Promise<(port: number) => string> {
  const text = led(await guideBlock('haproxy', 'defaults'), balanced);
  return (port) => text.replace('bind :8080', `bind 127.0.0.1:${port}`);
}

function led(text: string, { apis, gateways }: Balanced): string {
  const places = [
    ...apis.map((one, at) => [`chat-be-${at + 1}:3000`, one] as const),
    ...gateways.map((one, at) => [`gateway-${at + 1}:3001`, one] as const),
  ];
  return places.reduce((said, [name, { url }]) => said.replace(name, `127.0.0.1:${new URL(url).port}`), text);
}
