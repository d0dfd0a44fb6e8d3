package org.dpo4j.torch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;

/**
 * Processes whose tensors are added up, by libtorch's Gloo over TCP. The first one lists the
 * addresses of all in a {@code TCPStore}; then each is connected with each. Failures are exceptions
 * of libtorch.
 */
public final class ProcessGroup implements AutoCloseable {

  /** Elements of a tensor that are added up in one call: several calls run at the same time. */
  private static final long PIECE = 1 << 22;

  /** A call that other threads do. */
  public static final class Pending implements AutoCloseable {
    private final List<Work> running;
    private final TensorScope scope; // holds them

    private Pending(List<Work> running, TensorScope scope) {
      this.running = running;
      this.scope = scope;
    }

    /** Returns when the tensor has its new values. */
    public void await() {
      running.forEach(Work::_wait);
    }

    /** Frees the handles; a call that is not done still ends. */
    @Override
    public void close() {
      scope.close();
    }
  }

  private interface Call {
    Work on(TensorVector piece);
  }

  private final TCPStore store;
  private final ProcessGroupGloo group;

  private ProcessGroup(TCPStore store, ProcessGroupGloo group) {
    this.store = store;
    this.group = group;
  }

  /**
   * Connects to the other processes; returns when all are there.
   *
   * @param host of the first process, which listens there
   * @param port at which it listens, 1 to 65535
   * @param own address of this machine, to which the others connect
   * @param rank number of this process, from 0
   * @param size number of processes
   * @param timeout longest time that a call waits for the others
   */
  public static ProcessGroup connect(
      String host, int port, String own, int rank, int size, Duration timeout) {
    TCPStore store = null;
    try (Milliseconds limit = new Milliseconds(timeout.toMillis());
        TCPStoreOptions options = new TCPStoreOptions()) {
      options.port((short) port); // 16 bits without a sign
      options.isServer(rank == 0);
      options.waitWorkers(false);
      options.timeout(limit);
      store = new TCPStore(host, options);
      ProcessGroupGloo.Options gloo = ProcessGroupGloo.Options.create(limit);
      gloo.devices().push_back(ProcessGroupGloo.createDeviceForHostname(own));
      return new ProcessGroup(store, new ProcessGroupGloo(store, rank, size, gloo));
    } catch (RuntimeException e) {
      if (store != null) {
        store.close();
      }
      throw e;
    }
  }

  /**
   * Begins to replace a tensor by its sum over all processes; all get the same bytes. Processes
   * begin the same sums in the same order.
   *
   * @param tensor contiguous, on the CPU
   */
  public Pending startSum(Tensor tensor) {
    return inPieces(tensor, piece -> group.allreduce(piece));
  }

  /**
   * Replaces a tensor by that of the first process.
   *
   * @param tensor contiguous, on the CPU
   */
  public void copyFirst(Tensor tensor) {
    try (Pending copy = inPieces(tensor, piece -> group.broadcast(piece))) {
      copy.await();
    }
  }

  private static Pending inPieces(Tensor tensor, Call call) {
    TensorScope scope = TensorScope.open();
    try (NoGrad noGrad = NoGrad.open()) {
      Tensor flat = tensor.detach().view(-1);
      List<Work> running = new ArrayList<>();
      for (long from = 0; from < flat.numel(); from += PIECE) {
        Tensor piece = flat.narrow(0, from, Math.min(PIECE, flat.numel() - from));
        running.add(call.on(new TensorVector(piece)));
      }
      scope.stopCollecting();
      return new Pending(running, scope);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  @Override
  public void close() {
    group.close();
    store.close();
  }
}
