/** Asks again where a machine that has much else to do checks too many passwords already; the answer says when to. */
export async function untilNotBusy<Answer extends { status: number; headers: Headers }>(
  ask: () => Promise<Answer>,
): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask();
    if (answer.status !== 503 || attempt === 5) return answer;
    await Bun.sleep(1_000 * Number(answer.headers.get('Retry-After')));
  }
}
