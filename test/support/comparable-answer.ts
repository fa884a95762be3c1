/** All of an answer that two ways of making it have to have in common, and the id that they have not. */
export interface ComparableAnswer {
  status: number;
  headers: [name: string, value: string][];
  /** Without the request's id. */
  body: string;
  requestId: string;
}

export async function comparableAnswer(answer: Response): Promise<ComparableAnswer> {
  const text = await answer.text();
  const requestId = answer.headers.get('x-request-id') ?? 'none';
  return {
    status: answer.status,
    headers: [...answer.headers].filter(([name]) => name !== 'x-request-id').toSorted(),
    body: text.replaceAll(requestId, 'the request id'),
    requestId,
  };
}
