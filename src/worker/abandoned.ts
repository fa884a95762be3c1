/** The batch is another's now, or the worker leaves while the database is away: it goes back into the queue. */
export class Abandoned extends Error {
  override name = 'Abandoned';
}
