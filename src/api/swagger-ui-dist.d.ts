/** Its files as `with { type: 'file' }` gives them: where they are, in a compiled program, too. */
declare module 'swagger-ui-dist/*' {
  const path: string;
  export default path;
}
