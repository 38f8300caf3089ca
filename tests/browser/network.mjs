// The network of a page: an HTTP proxy that can be cut, lost, frozen and mended.
import http from "node:http";
import net from "node:net";

/** Each socket and WebSocket of a browser context that uses `proxy` goes through it. */
export class Network {
  /** How many connections it has refused. */
  refused = 0;
  #isDown = false;
  #sockets = new Set();
  #tunnels = new Set();
  #server = http.createServer((request, response) => this.#forward(request, response));

  async open() {
    this.#server.on("connection", (socket) => this.#accept(socket));
    this.#server.on("connect", (request, socket, head) => this.#tunnel(request, socket, head));
    await new Promise((done) => this.#server.listen(0, "127.0.0.1", done));
    return this;
  }

  close() {
    this.cut();
    this.#server.close();
  }

  /** Chromium leaves this machine's own addresses to no proxy unless told. */
  get proxy() {
    return { server: `http://127.0.0.1:${this.#server.address().port}`, bypass: "<-loopback>" };
  }

  /** Break every connection without a close frame, and refuse new ones. */
  cut() {
    this.#isDown = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Drop what comes from either end, for ever and without telling it, and refuse new connections. */
  lose() {
    this.#isDown = true;
    for (const ends of this.#tunnels) ends.forEach((end) => end.unpipe().resume());
    this.#tunnels.clear();
  }

  /** Carry nothing, until it is mended. */
  freeze() {
    for (const ends of this.#tunnels) ends.forEach((end) => end.unpipe().pause());
  }

  mend() {
    this.#isDown = false;
    for (const [near, far] of this.#tunnels) near.pipe(far).pipe(near);
  }

  #accept(socket) {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    if (!this.#isDown) return;
    this.refused++;
    socket.resetAndDestroy();
  }

  #tunnel({ url }, near, head) {
    const { hostname, port } = new URL(`http://${url}`);
    const far = net.connect(Number(port), hostname, () => {
      near.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      far.write(head);
      near.pipe(far).pipe(near);
    });
    const ends = [near, far];
    this.#tunnels.add(ends);
    for (const end of ends) {
      end.on("error", () => {});
      end.on("close", () => {
        this.#tunnels.delete(ends);
        ends.forEach((each) => each.destroy());
      });
    }
  }

  #forward(request, response) {
    const { method, headers, url } = request;
    const onward = http.request(url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }
}
