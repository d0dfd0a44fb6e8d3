package org.dpo4j.torch;

import java.util.Iterator;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

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

  private final @Nullable PointerScope outer;
  private final PointerScope scope;

  private TensorScope() {
    outer = PointerScope.getInnerScope();
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

  /** Lets a tensor out into the scope around this one, or to the caller where there is none. */
  public Tensor pass(Tensor tensor) {
    keep(tensor);
    if (outer != null) {
      outer.attach(tensor); // now held by outer as well
      tensor.releaseReference(); // by outer alone
    }
    return tensor;
  }

  /**
   * A second handle of a tensor that outlives all scopes; whoever holds it frees it with {@link
   * Tensors#free}. Good for any tensor, also one that an operation in place or a part of a tuple
   * gave, whose own handle only points into another object.
   */
  public static Tensor hold(Tensor tensor) {
    Tensor held = new Tensor(tensor);
    held.retainReference(); // detaching alone would release it
    PointerScope inner = PointerScope.getInnerScope();
    if (inner != null) {
      inner.detach(held);
    }
    return held;
  }

  /**
   * Runs the body in a scope of its own and lets only its result out, into the scope around this
   * call.
   */
  public static Tensor only(Supplier<Tensor> body) {
    try (TensorScope scope = open()) {
      return scope.pass(body.get());
    }
  }

  /**
   * Ends the part that this scope has in what the thread makes; what it holds lives until it is
   * closed, which any thread may then do, in any order with other scopes.
   */
  public void leave() {
    Iterator<PointerScope> open = PointerScope.getScopeIterator();
    while (open.hasNext()) {
      if (open.next() == scope) {
        open.remove();
        return;
      }
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
