import { constants, type ClientHttp2Session } from 'node:http2';

/** The status of the answer to one request, whatever it is; what breaks the protocol counts as 400, no answer as 0. */
export function statusOf(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  token: string | undefined,
  body?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    });
    stream.once('response', (answer) => {
      resolve(Number(answer[constants.HTTP2_HEADER_STATUS]));
      stream.close();
    });
    stream.once('error', (error) =>
      stream.rstCode === constants.NGHTTP2_PROTOCOL_ERROR ? resolve(400) : reject(error),
    );
    stream.once('close', () => resolve(0));
    stream.end(body);
  });
}
