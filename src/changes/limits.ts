/** What one resume is told, and one page of changes holds; what is beyond it is read by REST, or is the next page. */
export const mostChanges = 500;
export const mostChangeBytes = 256 * 1024;
