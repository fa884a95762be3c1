/** As `with { type: 'file' }` gives them: where they are, in a compiled program, too. */
declare module '@electric-sql/pglite/*.wasm' {
  const path: string;
  export default path;
}
declare module '@electric-sql/pglite/pglite.data' {
  const path: string;
  export default path;
}
