package org.dpo4j.torch;

import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * Frees native memory: every tensor (and every argument object) made on this thread while the scope
 * is the innermost one is released when it closes, save those let out by {@link #keep} or {@link
 * #only}. Scopes nest, and are closed on the thread that opened them.
 *
 * <pre>{@code
 * try (TensorScope step = TensorScope.open()) {
 *   Tensor loss = ...;
 *   loss.backward();
 * }
 * }</pre>
 */
public final class TensorScope implements AutoCloseable {

  private final PointerScope scope;

  private TensorScope() {
    scope = new PointerScope();
  }

  public static TensorScope open() {
    Engine.start();
    return new TensorScope();
  }

  /** Lets a tensor outlive all scopes; whoever holds it frees it with {@link Tensors#free}. */
  public Tensor keep(Tensor tensor) {
    tensor.retainReference(); // detaching alone would release it
    scope.detach(tensor);
    return tensor;
  }

  /**
   * Runs the body in a scope of its own and lets only its result out, into the scope around this
   * call.
   */
  public static Tensor only(Supplier<Tensor> body) {
    PointerScope outer = PointerScope.getInnerScope();
    try (TensorScope scope = open()) {
      Tensor result = scope.keep(body.get());
      if (outer != null) {
        outer.attach(result); // now held by outer as well
        result.releaseReference(); // by outer alone
      }
      return result;
    }
  }

  @Override
  public void close() {
    scope.close();
  }

  /** Native objects that Java holds at this moment, in the whole process. */
  public static long liveHandles() {
    return Pointer.totalCount();
  }

  /** Resident memory of this process, in bytes. */
  public static long residentBytes() {
    return Pointer.physicalBytes();
  }
}
