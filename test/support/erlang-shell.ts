import { connect } from 'node:net';
import type { RabbitServer } from '../../src/commands/servers/rabbitmq.ts';

/** Evaluates expressions in a broker's own machine, in milliseconds; `rabbitmqctl eval` starts a machine for each. */
export type ErlangShell = (...expressions: string[]) => Promise<void>;

/** Accepts connections for as long as the broker lives; each message is a text of expressions, and is answered. */
const shellSource = `
  {ok, Listener} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {packet, 4}, {active, false}]),
  {ok, Port} = inet:port(Listener),
  Evaluate = fun(Text) ->
    try
      {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text)),
      {ok, Expressions} = erl_parse:parse_exprs(Tokens),
      {value, _, _} = erl_eval:exprs(Expressions, []),
      <<"ok">>
    catch Class:Reason -> unicode:characters_to_binary(io_lib:format("~p ~p", [Class, Reason])) end
  end,
  Serve = fun Serve(Socket) ->
    case gen_tcp:recv(Socket, 0) of
      {ok, Text} -> gen_tcp:send(Socket, Evaluate(Text)), Serve(Socket);
      _ -> gen_tcp:close(Socket)
    end
  end,
  Accept = fun Accept() ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Server = spawn(fun() -> receive go -> Serve(Socket) end end),
    gen_tcp:controlling_process(Socket, Server),
    Server ! go,
    Accept()
  end,
  gen_tcp:controlling_process(Listener, spawn(fun() -> Accept() end)),
  Port.`;

/** @param rabbit one of the test's own, on this machine */
export async function erlangShell(rabbit: RabbitServer): Promise<ErlangShell> {
  const port = Number(await rabbit.ctl('eval', shellSource));
  return (...expressions) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port });
      const text = Buffer.from(`${expressions.join(', ')}.`);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      socket.write(Buffer.concat([length, text]));
      // An answer is short: it comes in one piece.
      socket.once('data', (answer) => {
        socket.destroy();
        const said = String(answer).slice(length.length);
        if (said === 'ok') resolve();
        else reject(new Error(`${expressions.join(', ')}: ${said}`));
      });
      socket.once('error', reject);
    });
}
