export interface Welcome {
  url: string;
  /** Whether the client for people is served. */
  webClient: boolean;
  folder: string;
  /** The command that runs Bun here. */
  runner: string;
}

/** Where the checklist looks by itself. */
const usualUrl = 'http://localhost:3000';

/**
 * What the single process says once it is up: where everything is, and a conversation to paste. A test takes the two
 * blocks out of the text and runs them.
 */
export function welcome({ url, webClient, folder, runner }: Welcome): string {
  return `
Confab is up.${webClient ? `\n  chat     ${url}/       in the browser, for you and others` : ''}
  REST     ${url}        described at ${url}/documentation
  sockets  ${url}/chat   Socket.IO, path /socket.io/
  data     ${folder}

Next: ${runner} run checklist${url === usualUrl ? '' : ` --api ${url}`}

Or talk yourself. In a second terminal, in this folder, Bob listens:

${indent(listening(url, runner))}

and in a third one Ada writes to him:

${indent(writing(url))}

Ctrl-C ends it.
`;
}

const helpers = (
  url: string,
) => `post() { curl -s "${url}$1" -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" -d "$2"; }
field() { grep -o "\\"$1\\":\\"[^\\"]*\\"" | head -n 1 | cut -d '"' -f 4; }`;

const signIn = (name: string) => `ME='{"email":"${name}@example.com","password":"${name} likes to chat"}'
post /auth/register "$ME"; echo
export TOKEN=$(post /auth/login "$ME" | field accessToken)`;

const listening = (url: string, runner: string) => `${helpers(url)}
${signIn('bob')}
${runner} -e '
import { io } from "socket.io-client";

const socket = io("${url}/chat", {
  transports: ["websocket"],
  auth: { token: process.env.TOKEN },
});
socket.on("connect", () => console.log("Bob is connected"));
socket.on("connect_error", (error) => console.log("Bob is not connected:", error.data ?? error.message));
socket.on("chat.message.new", ({ message }) => console.log("Bob received:", message.content));
'`;

const writing = (url: string) => `${helpers(url)}
${signIn('ada')}
BOB=$(curl -s "${url}/users?email=bob@example.com" -H "Authorization: Bearer $TOKEN" | field id)
CHAT=$(post /chats "{\\"participantUserIds\\":[\\"$BOB\\"]}" | field id)
post "/chats/$CHAT/messages" '{"content":"Hello Bob"}'; echo`;

const indent = (text: string) =>
  text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n');
