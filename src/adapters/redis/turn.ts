/** What is asked for in one turn of the event loop, and when it is answered. */
export interface Turn<Questions> {
  questions: Questions;
  answered: Promise<void>;
}

/**
 * Collects the questions of one turn of the event loop, whoever asks them, and has them asked at its end. With 64 requests
 * in flight a turn has some five: one round trip, one deadline and one write for all of them.
 * @param ask puts the answers into the questions; never rejects
 */
export function createTurns<Questions>(
  open: () => Questions,
  ask: (questions: Questions) => Promise<void>,
): () => Turn<Questions> {
  let current: Turn<Questions> | undefined;

  return () => {
    if (current) return current;
    const questions = open();
    const answered = new Promise<void>((resolve) => {
      setImmediate(() => {
        current = undefined;
        ask(questions).then(resolve);
      });
    });
    current = { questions, answered };
    return current;
  };
}
