/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import org.mozilla.jss.CryptoManager;
import org.mozilla.jss.ssl.SSLServerSocket;

/** A server in JSS that does not know sslsnce: database, port, seconds that a
 * session lives. Each connection has a thread. */
public class JssServer {
    public static void main(String[] args) throws Exception {
        CryptoManager.initialize(args[0]);
        int timeout = Integer.parseInt(args[2]);
        SSLServerSocket.configServerSessionIDCache(1000, timeout, timeout, null);
        SSLServerSocket listener =
            new SSLServerSocket(Integer.parseInt(args[1]), 50,
                                InetAddress.getByName("127.0.0.1"), null, true);
        listener.setSoTimeout(0);
        listener.setServerCertNickname("rsa");
        while (true) {
            Socket socket = listener.accept();
            new Thread(() -> answer(socket)).start();
        }
    }

    private static void answer(Socket socket) {
        try {
            if (socket.getInputStream().read(new byte[4096]) > 0) {
                socket.getOutputStream().write("hello\n".getBytes());
            }
        } catch (IOException e) {
            System.err.println(e);
        } finally {
            try {
                socket.close();
            } catch (IOException e) {
                System.err.println(e);
            }
        }
    }
}
