/** Their own types are not found by way of their `exports`; `io` is what it is today. */
declare module 'socket.io-client-3.1' {
  export { io } from 'socket.io-client';
}
declare module 'socket.io-client-4.0' {
  export { io } from 'socket.io-client';
}
